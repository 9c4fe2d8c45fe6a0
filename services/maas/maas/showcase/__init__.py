"""The showcase: what the app offers before there is a subscription (MA-53..58).

A passenger whom the metro does not know is sent to register (401). The others see the tariffs that the bank sells them
and that were agreed with us, and go to the bank's page with a token that lets them buy one of these, in their own name.
"""
