"""The proxy: one table says what a partner can reach; everything else does not exist (MX-06, MA-17).

A request's path only chooses a line of the table. What goes on to maas is built from that line: the path from the
table, query keys and headers from allowlists, the body as it came once it is known to be JSON.
"""
