"""Promo codes: a subscription's taxi rides are paid by one code of `coupons`, issued by task (MX-14, MA-48).

    none ──activated and bound──▶ pending ──coupons answered──▶ issued ──┐
                                    │ ▲                                   ├──support revokes──▶ revoked
              24 h without an answer▼ │support reissues                   │
                                   failed ────────────────────────────────┘

`coupons` is told the pass_id as its request token, so asking again, after a crash or by the reconciler, gives the same
code; the database takes a code once and never changes it. A revoked one is ended at coupons, also when coupons made it
and we never came to know it.
"""
