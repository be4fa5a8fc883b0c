"""Why a number went quiet: what its rows and Meta say, and the one action that helps for each cause."""
