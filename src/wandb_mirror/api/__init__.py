"""``wandb.Api`` over the published file: the same names, answered without a network."""
