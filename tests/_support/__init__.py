"""What tests of several modules share; holds no test of its own."""
