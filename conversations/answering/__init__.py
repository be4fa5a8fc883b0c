"""
The engine that answers customers: claim → ask → store → send → finish, each step for many turns at once.

`engine` leads each turn through the steps; every other module is one step or a part of one.
"""
