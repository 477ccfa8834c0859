"""Pages and plots for people: HTML by Jinja, charts by Matplotlib, nothing from elsewhere.

Both libraries come with the extra ``report`` and are loaded when a page or a plot is asked for. A
page is one file without scripts, styles, fonts or pictures of others; its policy allows none, and
what stands in files is escaped, so that it is shown and never run.
"""
