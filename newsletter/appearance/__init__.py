"""How pages and letters look: colors, icons, and the URLs of stylesheets."""
