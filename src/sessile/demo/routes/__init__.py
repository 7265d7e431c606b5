"""What the shop answers, one concern per file. ``application`` lists the paths.

A form is answered with 303 to a place on the page, so that a reload repeats no order.
"""
