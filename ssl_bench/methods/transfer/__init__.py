"""Transfer: what another trained network knows is used."""
