"""Bottleneck's science: a pretrained T5 turned into a text VAE by two-phase finetuning."""
