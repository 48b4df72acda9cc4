"""Methods that keep the reconstruction loss (survey 6.1)."""
