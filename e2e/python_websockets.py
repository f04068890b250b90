"""The demo as Python's websockets sees it: python_websockets.py, with FINCH_URL set."""

import asyncio
import json
import logging
import os
import unittest

import websockets

BASE = os.environ["FINCH_URL"].replace("http", "ws", 1)
WITHIN = 10  # seconds

logging.getLogger("asyncio").setLevel(logging.ERROR)  # unittest has asyncio report each slow step


async def envelope(socket, path):
    """Reads on until an envelope of this path."""
    while True:
        text = await asyncio.wait_for(socket.recv(), WITHIN)
        if text.startswith("{"):
            message = json.loads(text)
            if message["path"] == path:
                return message


async def bare(socket):
    """Reads on until a text that is no envelope."""
    while True:
        text = await asyncio.wait_for(socket.recv(), WITHIN)
        if not text.startswith("{"):
            return text


class Demo(unittest.IsolatedAsyncioTestCase):
    async def test_bare_text_is_answered(self):
        for path in ("/ws", "/echo"):
            async with websockets.connect(BASE + path) as socket:
                for text in ("سلام سرور!", "🐦" * 1000, "x" * 60000):
                    await socket.send(text)
                    self.assertEqual(await bare(socket), "اکو: " + text)

    async def test_a_fragmented_message_is_one_message(self):
        async with websockets.connect(BASE + "/echo") as socket:
            await socket.send(["سلام", " ", "سرور", "!"])
            self.assertEqual(await bare(socket), "اکو: سلام سرور!")

    async def test_a_ping_is_answered(self):
        async with websockets.connect(BASE + "/ws") as socket:
            await asyncio.wait_for(await socket.ping(b"finch"), WITHIN)

    async def test_close_codes_come_back(self):
        for code in (1000, 3000, 4321):
            socket = await websockets.connect(BASE + "/ws")
            await socket.close(code, "تمام")
            self.assertEqual(socket.close_code, code)

    async def test_the_server_closes_with_1000_when_asked(self):
        async with websockets.connect(BASE + "/ws") as socket:
            await socket.send('{"path":"close"}')
            await asyncio.wait_for(socket.wait_closed(), WITHIN)
            self.assertEqual(socket.close_code, 1000)

    async def test_a_message_over_the_limit_closes_with_1009(self):
        async with websockets.connect(BASE + "/echo") as socket:
            await socket.send("x" * (65 * 1024))
            await asyncio.wait_for(socket.wait_closed(), WITHIN)
            self.assertEqual(socket.close_code, 1009)

    async def test_a_binary_frame_that_is_no_envelope_is_refused(self):
        async with websockets.connect(BASE + "/ws") as socket:
            await socket.send(b"\x00\x01\x02")
            refusal = await envelope(socket, "finch.error")
            self.assertEqual(refusal["status"], 400)

    async def test_a_room_is_joined_published_in_and_read(self):
        async with websockets.connect(BASE + "/ws") as socket:
            async def ask(id, path, data):
                await socket.send(json.dumps({"path": path, "id": id, "data": data}))
                answer = await envelope(socket, path)
                self.assertEqual((answer["status"], answer["reply"]), (200, id))
                return answer["data"]

            joined = await ask(1, "finch.join", {"room": "chat:python"})
            self.assertTrue(joined["position"])
            present = await ask(2, "finch.presence", {"room": "chat:python", "data": {"name": "مار"}})
            self.assertEqual([who["data"]["name"] for who in present["members"]], ["مار"])
            line = {"name": "مار", "text": "سلام"}
            await socket.send(json.dumps({"path": "finch.publish", "data": {"room": "chat:python", "path": "chat.line", "data": line, "key": "a key of this test"}}))
            heard = await envelope(socket, "chat.line")
            self.assertEqual((heard["room"], heard["data"], heard["key"]), ("chat:python", line, "a key of this test"))
            past = await ask(3, "finch.history", {"room": "chat:python", "after": joined["position"]})
            self.assertEqual([m["position"] for m in past["messages"]], [heard["position"]])

    async def test_fifty_clients_hear_one_notice(self):
        sockets = await asyncio.gather(*(websockets.connect(BASE + "/ws") for _ in range(50)))
        await sockets[0].send(json.dumps({"path": "notify.all", "data": {"text": "به همه"}}))
        notices = await asyncio.gather(*(envelope(socket, "notice") for socket in sockets))
        self.assertEqual({notice["data"]["text"] for notice in notices}, {"به همه"})
        await asyncio.gather(*(socket.close() for socket in sockets))

    async def test_a_foreign_origin_is_refused(self):
        with self.assertRaises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(BASE + "/ws", origin="https://evil.example")
        self.assertEqual(refused.exception.status_code, 403)

    async def test_compression_is_not_agreed_to(self):
        async with websockets.connect(BASE + "/ws", compression="deflate") as socket:
            self.assertEqual(socket.extensions, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
