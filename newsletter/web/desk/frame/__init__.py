"""What all pages of the desk share: who may open one, its forms, its frame and its failures."""
