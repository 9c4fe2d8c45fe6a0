"""Binding: who in taxi is this person of the metro? (MA-63..MA-71)

Three ways lead there. When VTB registers a phone, a task looks for its account in taxi. When a passenger opens the app,
the account looks for its person. When a stranger registers in the app, VTB names the person. All end in one
transaction: the person gets the account, the live subscription gets its owner, and an activated one has its promo code
ordered.

The config chooses how people are found: by account, preferring a portal one, for which zalogin is asked once per person
in a period (MA-70); or by taxi's id of the phone, which asks nobody (MA-29).
"""
