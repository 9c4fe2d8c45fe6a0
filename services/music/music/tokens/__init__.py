"""Temporary tokens: what a taximeter needs to play a passenger's own music (M-08..M-11).

    asked ──the music backend answers──▶ issued ──time──▶ expired
      └───────── the player closes ────────┴──▶ revoked

A grant is asked for under an id of ours, so that asking again gives the same token. The token itself goes from the
music backend to the taximeter and is kept nowhere; of a grant whose answer was lost nobody knows whether it exists, so
it is asked for again or revoked like any other.
"""
