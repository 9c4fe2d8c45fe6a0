"""People of metro and taxi: one row per phone, named by `maas_user_id` once VTB has given one.

A row begins with a phone (`users/create`, or a passenger who opened the app first and matched nobody), gains its
`maas_user_id` from VTB and its `yandex_uid` when the person is seen in taxi. Both links are 1:1 (MA-26, MA-27).
A stranger's row keeps later look-ups short (MA-68, MA-70) and goes when nobody has seen the stranger for long.
"""
