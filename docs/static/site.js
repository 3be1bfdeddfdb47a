// SPDX-License-Identifier: LGPL-2.1-or-later
// site.js: a search shows the lines around what it has found by reading those pages. A browser does not let it where pages
// are files; there it lists titles.
if (location.protocol === "file:")
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
