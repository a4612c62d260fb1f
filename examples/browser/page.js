/**
 * A node in a page: it has WebSockets to the helper and to homes that strangers can dial,
 * WebRTC to other pages, and the relay of the helper for the rest
 */
import { webRTC } from '@libp2p/webrtc'
import { createLibp2p } from 'libp2p'
import { helperConfig, mergeConfig } from 'tcp-stun/config'
import { partners, receive, send } from './chat.js'

const find = id => document.getElementById(id)

async function join (address) {
  const helper = address.split('/p2p/').at(-1)
  const node = await createLibp2p(mergeConfig(
    await helperConfig(address, { namespace: 'example-chat' }),
    // connections of pages begin at the relay, and go on without it
    { addresses: { listen: ['/webrtc'] }, transports: [webRTC()] }
  ))

  await receive(node, (peer, text) => { show(nameOf(peer), text) })

  for (const event of ['connection:open', 'connection:close', 'peer:connect', 'peer:disconnect']) {
    node.addEventListener(event, () => { showPeers(node, helper) })
  }

  showPeers(node, helper)
  find('me').textContent = nameOf(node.peerId)
  find('enter').hidden = true
  find('room').hidden = false
  find('write').addEventListener('submit', event => {
    event.preventDefault()
    const text = find('text').value
    find('text').value = ''
    show('you', text)
    send(node, helper, text).then(count => {
      if (count === 0) {
        show('', 'Nobody has got it: no peer is connected.')
      }
    })
  })
}

function showPeers (node, helper) {
  const isConnected = node.getPeers().some(peer => peer.toString() === helper)
  find('helper').textContent = isConnected ? 'connected' : 'not connected yet'
  find('peers').replaceChildren(...partners(node, helper).map(({ peer, way }) => {
    const item = document.createElement('li')
    item.dataset.peer = peer.toString()
    item.dataset.way = way
    item.textContent = `${nameOf(peer)}, ${way}`

    return item
  }))
}

function show (name, text) {
  const item = document.createElement('li')
  const who = document.createElement('b')
  who.textContent = name
  item.append(who, ` ${text}`)
  find('messages').append(item)
  item.scrollIntoView({ block: 'nearest' })
}

// the last characters tell peers apart
function nameOf (peer) {
  return peer.toString().slice(-6)
}

find('enter').addEventListener('submit', event => {
  event.preventDefault()
  location.hash = find('address').value.trim()
  join(find('address').value.trim()).catch(err => { find('error').textContent = err.message })
})

if (location.hash.length > 1) {
  find('address').value = decodeURIComponent(location.hash.slice(1))
  find('enter').requestSubmit()
}
