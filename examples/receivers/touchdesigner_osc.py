# TouchDesigner: callbacks of an OSC In DAT (port 9000), beside a Table DAT named "people".
#   livepose --camera 0 --send osc://127.0.0.1:9000
# The table has a row for each joint: slot/joint, x, y, score, sigma. A slot belongs to one
# person for as long as the id lives; somebody who left has score 0. y points down, 0..1.
# (An OSC In CHOP needs no script at all: its channels are livepose/0/nose1 and so on.)


def onReceiveOSC(dat, rowIndex, message, bytes, timeStamp, address, args, peer):
    parts = address.split("/")  # "", "livepose", slot, joint
    table = dat.parent().op("people")
    if parts[1:] == ["livepose", "frame"]:
        dat.parent().store("frame", args)  # number, time, width, height, people
    elif len(parts) == 4 and parts[3] != "id":
        row = f"{parts[2]}/{parts[3]}"
        if table.row(row) is None:
            table.appendRow([row])
        table.replaceRow(row, [row, *args])
