"""What VTB does by itself: it shows the page that a subscription is bought on, charges the card, and reports to maas.

A sale is `reserving` until maas has answered (or `refused`); then the card is charged. A good card is `paid`, and then
`activated`, or `refunded` when maas takes no activation; a bad one is `declined`, and the reservation is given back.
"""
