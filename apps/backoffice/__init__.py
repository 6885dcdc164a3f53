"""What the rooms' admin pages share: money fields, read-only pages, pages for actions, panels of other rooms.

Owns no rows and knows no room, so that every room's ``admin`` may import it.
"""
