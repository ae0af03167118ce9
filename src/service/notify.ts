/**
 * Telling systemd how the service is: one datagram to the socket that it names
 * to its services.
 *
 * @module
 */

/** Variable that names the socket. */
export const NOTIFY_VARIABLE = "NOTIFY_SOCKET";

interface NotifyOptions {
  /** A path, or a name after `@`; of another kind there is nobody to tell. */
  readonly address: string | null;
  /** Where the sender's own socket is where it needs a file for the moment. */
  readonly from: string;
  readonly lines: readonly string[];
}

/**
 * Sends `lines` to the manager; needs the network's grant, and the file's.
 * Reference: sd_notify(3).
 */
export async function notifyManager(options: NotifyOptions): Promise<void> {
  const { address, from, lines } = options;
  if (address === null || !/^[/@]/.test(address)) return;
  const { socket, file } = ownSocket(from);
  try {
    await socket.send(new TextEncoder().encode(lines.join("\n")), {
      transport: "unixpacket",
      path: address.replace(/^@/, "\0"),
    });
  } finally {
    socket.close();
    if (file !== null) await Deno.remove(file);
  }
}

/** A name that is no file, which an older Deno refuses; else the file. */
function ownSocket(
  from: string,
): { readonly socket: Deno.DatagramConn; readonly file: string | null } {
  const transport = "unixpacket";
  try {
    const path = `\0tc-notify-${Deno.pid}`;
    const socket = Deno.listenDatagram({ transport, path });
    return { socket, file: null };
  } catch {
    // The file's path may be too long, which is then what is told.
    const socket = Deno.listenDatagram({ transport, path: from });
    return { socket, file: from };
  }
}
