"""Contenders side by side: one server on one core, the load and the database on another, in turns (decision 19).

`answers` reads what comes back, `load` asks, `pinned` keeps servers on their core and reads what they used, `contest`
plays the rounds and prints the table, `medians` is the arithmetic. `stage` is the database and the processes of music,
`gateway` the bytes of requests, `environment` the packages that contenders alone need. The contenders are scripts of
their own in `contenders/`.
"""
