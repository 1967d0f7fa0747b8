"""People come in here."""
