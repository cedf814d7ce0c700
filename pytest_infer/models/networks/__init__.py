"""Our own subclasses of torch's Module; only a model's function imports them, when it is called."""
