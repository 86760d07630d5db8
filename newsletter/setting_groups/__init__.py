"""The settings in groups, by what they are about; `newsletter/settings.py` joins them."""
