"""The plain text at /, for whoever finds this server and wonders."""

PAGE = """\
This is the simulator: a stand-in for OpenAI's API and for Meta's Graph API. Nothing here is real.

GET /phone is a phone to try it with: WhatsApp and Instagram, switches for trouble, and what happens underneath.

OpenAI (any bearer token)
  POST                /v1/responses                        GET, DELETE  /v1/responses/{id}
  POST                /v1/conversations                    POST         /v1/audio/transcriptions
  GET, POST, DELETE   /v1/conversations/{id}
  GET, POST           /v1/conversations/{id}/items         GET, DELETE  /v1/conversations/{id}/items/{item_id}

Graph API (any bearer token)
  POST                /v22.0/{phone_number_id}/messages    WhatsApp and Instagram
  GET                 /v22.0/{phone_number_id}             GET          /v22.0/{media_id}

The simulator itself
  POST                /_simulator/deliver                  a customer writes: {"from": "+12025550143", "texts": ["Hi"]}
                                                           "messages": [{"kind": "image", "media_id": "img1"}] for more
  GET, DELETE         /_simulator/requests                 what was asked: ?api=openai|graph|webhook&path=&contains=
                                                           &since_seq=&limit=
  GET                 /_simulator/requests/count           how much that is, same filters
  GET, POST           /_simulator/behaviour                slow it down, make it fail, script its answers
  POST                /_simulator/media                    register a file: {"id", "mime_type", "data" (base64)}
  GET                 /_simulator/phone/chats              what the phone shows; /events tells what changes
  POST                /_simulator/reset                    start afresh
  GET                 /_simulator/health
"""  # noqa: E501 - a page, not code
