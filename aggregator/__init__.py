"""The core of Click2Cart: values, tables and use cases."""
