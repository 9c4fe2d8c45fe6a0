"""Purchase tokens: who in the app has opened the bank's page (MA-57, MA-58).

    issued ──reserve──▶ used          by one pass, for ever
       └─────time─────▶ expired

The app carries the token to the bank and the bank back to `reserve`, so that nobody buys in another person's name. It
belongs to one account, one person and one tariff and works once; here it exists only as a salted hash.
"""
