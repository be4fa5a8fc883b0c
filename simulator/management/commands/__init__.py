"""`manage.py simulate_customer`."""
