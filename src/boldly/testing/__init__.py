"""Contract suites: inherit the one of your part's kind, say how one is made, and pytest holds it to the law.

They need pytest: `pip install "boldly[test]"`.
"""
