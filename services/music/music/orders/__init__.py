"""What processing says of orders: to whom one was given, and that it is over (M-33..M-37).

    assigned ──another driver──▶ assigned ──▶ finished

Each event of an order has its `event_seq`; only one that is above all before it changes anything, so that late, early
and repeated events are harmless. The row of an order is locked while its event is carried out: whether music is
available is asked before, without any lock, and what was decided counts only if no newer event came meanwhile.
"""
