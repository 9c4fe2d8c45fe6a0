"""Binding: who in taxi is this person of the metro? (MA-63..MA-71)

Two ways lead there. When VTB registers a phone, a task looks for its account in taxi. When a passenger opens the app,
the account looks for its person. Both end in one transaction: the person gets the account, the live subscription gets
its owner, and an activated one has its promo code ordered.
"""
