"""Labels as a task of their own: what predicts them, how sure it is, which set holds the right one."""
