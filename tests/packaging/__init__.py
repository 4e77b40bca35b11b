"""What is built, shipped and promised around the package: distributions, README, import contracts, start-up."""
