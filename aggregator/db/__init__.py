"""Tables, sessions and the embedded servers."""
