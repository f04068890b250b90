#!/bin/sh
# Publishes one piece of news, and sends a bare notice to all: see main.go.
set -eu
# region curl
curl --fail-with-body http://localhost:3000/publish \
  -H "Authorization: Bearer $PUBLISH_TOKEN" \
  -d '[{"room": "news:tech", "path": "news", "data": {"title": "سلام"}, "publish": true, "key": "news-17"},
       {"everyone": true, "path": "notice", "data": "news in tech"}]'
# endregion
