// Unity: put this on an empty object; it moves children named after slot and joint ("0/nose").
//   livepose --camera 0 --send osc://127.0.0.1:9000
using System; using System.Net; using System.Net.Sockets; using System.Text; using UnityEngine;

public class Livepose : MonoBehaviour {
    public int port = 9000;
    UdpClient client;
    void OnEnable() { client = new UdpClient(port); }
    void OnDisable() { client.Close(); }

    void Update() {
        byte[] data = null;
        IPEndPoint from = null;
        while (client.Available > 0) data = client.Receive(ref from);  // the newest bundle alone
        for (int at = 16; data != null && at < data.Length; at += 4 + Int(data, at)) {
            int end = Array.IndexOf(data, (byte)0, at + 4);
            string address = Encoding.ASCII.GetString(data, at + 4, end - at - 4);
            int values = at + 4 + (address.Length / 4 + 1) * 4 + 8;  // after ",ffff"
            Transform joint = transform.Find(address.Replace("/livepose/", ""));
            if (joint == null || Float(data, values + 8) < 0.2f) continue;  // x, y, score, sigma
            joint.localPosition = new Vector3(Float(data, values), 1 - Float(data, values + 4), 0);
        }
    }
    static int Int(byte[] d, int i) { return d[i] << 24 | d[i + 1] << 16 | d[i + 2] << 8 | d[i + 3]; }
    static float Float(byte[] d, int i) { return BitConverter.ToSingle(BitConverter.GetBytes(Int(d, i)), 0); }
}
