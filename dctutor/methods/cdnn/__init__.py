"""Methods that train on a clustering loss alone (survey 6.2)."""
