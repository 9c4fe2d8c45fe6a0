"""Support: what an operator asks about a person, and the two things that an operator may do (MA-99).

`find` tells who somebody is, what they bought and where it stands, `revoke` ends a paid subscription with its promo
code, `reissue-promocode` has a code made that was given up. A phone is read from stdin and told to nobody, a promo code
is shown by its last characters.
"""
