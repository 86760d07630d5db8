"""The limits of confirmation letters: by inbox, by network, by domain and overall."""
