"""An RTSP server that is not ours: GStreamer's, serving an AVI of JPEGs as H.264 at /h264 and as Motion JPEG at /mjpeg.

Run with the system's Python, which has GStreamer's bindings: `rtsp_server.py <recording>`. Prints its port, then serves
until killed; every client gets the recording from its beginning.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions are chosen first

KINDS = {
    "/mjpeg": "rtpjpegpay name=pay0 pt=26",
    "/h264": "jpegdec ! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency bitrate=4000 key-int-max=15"
    " speed-preset=ultrafast ! video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=1",
}


def main(recording: str) -> None:
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for path, chain in KINDS.items():
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(f'( filesrc location="{recording}" ! avidemux ! {chain} )')
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main(sys.argv[1])
