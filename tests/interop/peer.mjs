// A js-libp2p node that does what it is told on standard input, a line of JSON each, and answers
// with one. With the argument `relay` it lets anybody be reached through it, with `lookup` it answers
// look-ups.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createHash, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'

const CHANNEL = '/kinlight/channel/1'
const PROFILE = '/kinlight/profile/1'
const PROFILE_DOMAIN = 'kinlight/profile1\0'

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false }, // loopback is as good as any here
  connectionMonitor: { enabled: false }, // which ends what does not answer in time
  services: {
    identify: identify(),
    ping: ping({ maxOutboundStreams: 8 }), // the lookup pings too, at the same time
    lookup: kadDHT({
      protocol: '/kinlight/kad/1.0.0',
      clientMode: !process.argv.includes('lookup'),
      peerInfoMapper: passthroughMapper
    }),
    ...(process.argv.includes('relay') &&
      { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) })
  }
})

/** Sends back what comes, until the other side ends. */
async function echo (stream) {
  for await (const data of stream) await send(stream, data.subarray())
  await stream.close()
}

/** Sends all of it, waiting wherever the other side has no room. */
async function send (stream, data) {
  for (let at = 0; at < data.length; at += 65536) {
    if (!stream.send(data.subarray(at, at + 65536))) await stream.onDrain()
  }
}

/** The same bytes back, or an error. */
async function echoed (stream, bytes) {
  const photo = randomBytes(bytes)
  const sending = send(stream, photo)
  const parts = []
  let missing = bytes
  for await (const data of stream) {
    parts.push(data.subarray())
    missing -= data.byteLength
    if (missing <= 0) break
  }
  await sending
  await stream.close()
  return Buffer.concat(parts).equals(photo)
}

/** All bytes until the other side ends. */
async function all (stream) {
  const parts = []
  for await (const data of stream) parts.push(data.subarray())
  return Buffer.concat(parts)
}

await node.handle(CHANNEL, echo, { runOnLimitedConnection: true })

const actions = {
  addresses: () => node.getMultiaddrs().map(String),

  async identify ({ address }) {
    const { promise, resolve } = Promise.withResolvers()
    node.addEventListener('peer:identify', ({ detail }) => resolve(detail), { once: true })
    await node.dial(multiaddr(address))
    const { peerId, protocols } = await promise
    return { peer: peerId.toString(), protocols }
  },

  ping: ({ address }) => node.services.ping.ping(multiaddr(address)),

  async echo ({ address, bytes }) {
    const options = { runOnLimitedConnection: true }
    return await echoed(await node.dialProtocol(multiaddr(address), CHANNEL, options), bytes)
  },

  /** Milliseconds until a stream stood, and until so many bytes had come back over it. */
  async timed ({ address, bytes }) {
    const begun = performance.now()
    const stream = await node.dialProtocol(multiaddr(address), CHANNEL)
    const stood = performance.now()
    if (!await echoed(stream, bytes)) throw new Error('other bytes came back')
    return [stood - begun, performance.now() - stood]
  },

  /** A channel that stays open, as between contacts, and the relay at its end. */
  async reserve ({ address }) {
    await node.dialProtocol(multiaddr(address), CHANNEL)
    await node.components.transportManager.listen([multiaddr(`${address}/p2p-circuit`)])
    return node.getMultiaddrs().map(String).filter((each) => each.includes('/p2p-circuit'))
  },

  /** What a node says of itself, checked as docs/spec/profile.md says. */
  async profile ({ address, challenge }) {
    const connection = await node.dial(multiaddr(address))
    const stream = await connection.newStream(PROFILE)
    const question = Buffer.from(challenge, 'hex')
    await send(stream, Buffer.concat([Buffer.from([question.length]), question]))
    const answer = await all(stream)
    const data = answer.subarray(answer[0] < 128 ? 1 : 2) // after the varint
    const body = data.subarray(3, 3 + data[2]) // 92 c4 length body c4 40 signature
    const signature = data.subarray(3 + data[2] + 2)
    const message = Buffer.concat([Buffer.from(PROFILE_DOMAIN), createHash('sha256').update(body).digest()])
    const verified = await connection.remotePeer.publicKey.verify(message, signature)
    return { verified, data: data.toString('hex') }
  },

  /** Where a node is, by a look-up that begins at another one. */
  async find ({ bootstrap, peer }) {
    await node.dial(multiaddr(bootstrap))
    const wanted = peerIdFromString(peer)
    for (;;) { // until the one that was dialled is in the table, which nothing tells of
      try {
        const { multiaddrs } = await node.peerRouting.findPeer(wanted, { signal: AbortSignal.timeout(5000) })
        if (multiaddrs.length > 0) return multiaddrs.map(String)
      } catch {}
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  },

  async open ({ address }) {
    await node.dialProtocol(multiaddr(address), CHANNEL)
    return null
  }
}

console.log(JSON.stringify({ answer: { peer: node.peerId.toString(), addresses: actions.addresses() } }))
for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...values } = JSON.parse(line)
  try {
    console.log(JSON.stringify({ answer: await actions[action](values) }))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message) }))
  }
}
await node.stop()
process.exit()
