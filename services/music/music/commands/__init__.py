"""Commands: what the passenger asks the taximeter to do, and what became of it.

    queued ──handed out──▶ delivered ──result──▶ applied | failed
      │ │                      ├──its time is over──▶ expired
      │ │                      └──the player closed──▶ cancelled
      │ └── the same three ways, should a result come first
      └──a newer one of its kind──▶ superseded

A command is a row with the next `seq` of its player, and in the same transaction a task that pushes "commands up to
seq N" until it is settled. The push is only a hint: the taximeter gets what is open when it pulls and with each report.
Whatever happens, a command ends within its lifetime and 5 s: by its result, by the push task, by the periodic expiry,
or with its player; the passenger sees the first that failed him as `last_error` (M-23). What is final stays so: a
result that came too late is written beside it. Triggers hold all that.
"""
