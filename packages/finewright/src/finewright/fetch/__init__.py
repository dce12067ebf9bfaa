"""What comes from elsewhere: pinned packages into a content-addressed cache, and the answers of endpoints."""
