// A registry on the loopback that serves the packages of a JSON table, made in memory.
//
//   node registry.cjs packages.json
//
// The table: name → version → { manifest fields…, "files": { path: text, … } }. Prints its port. `GET /-/hits` tells how
// often package documents were asked for since it was last told.

'use strict'

const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const zlib = require('node:zlib')

const table = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
let hits = []

function header (name, size, executable) {
  const block = Buffer.alloc(512)
  block.write(name, 0, 100)
  block.write(executable ? '0000755\0' : '0000644\0', 100)
  block.write('0000000\0', 108)
  block.write('0000000\0', 116)
  block.write(size.toString(8).padStart(11, '0') + '\0', 124)
  block.write('00000000000\0', 136)
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\0' + '00', 257)
  const sum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(sum.toString(8).padStart(6, '0') + '\0 ', 148)
  return block
}

function pack (files) {
  const parts = []
  for (const [path, text] of Object.entries(files)) {
    const content = Buffer.from(text)
    parts.push(header(`package/${path}`, content.length, text.startsWith('#!')), content)
    parts.push(Buffer.alloc((512 - content.length % 512) % 512))
  }
  parts.push(Buffer.alloc(1024))
  return zlib.gzipSync(Buffer.concat(parts))
}

const tarballs = new Map()
for (const [name, versions] of Object.entries(table)) {
  for (const [version, { files = {}, ...fields }] of Object.entries(versions)) {
    const manifest = { name, version, ...fields }
    const content = { 'package.json': JSON.stringify(manifest, null, 2), 'index.js': `module.exports = '${name}@${version}'\n`, ...files }
    tarballs.set(`/${name}/-/${version}.tgz`, { manifest, bytes: pack(content) })
  }
}

const server = http.createServer((request, response) => {
  const path = decodeURIComponent(request.url.split('?')[0])
  if (path === '/-/hits') {
    response.end(JSON.stringify(hits))
    hits = []
    return
  }
  const tarball = tarballs.get(path)
  if (tarball) {
    response.end(tarball.bytes)
    return
  }
  const name = path.slice(1)
  const versions = table[name]
  hits.push(name)
  if (!versions) {
    response.writeHead(404).end('{}')
    return
  }
  const documents = {}
  for (const version of Object.keys(versions)) {
    const { manifest, bytes } = tarballs.get(`/${name}/-/${version}.tgz`)
    const integrity = 'sha512-' + crypto.createHash('sha512').update(bytes).digest('base64')
    const scripts = manifest.scripts || {}
    const hasInstallScript = !!(scripts.preinstall || scripts.install || scripts.postinstall)
    const tarball = `http://127.0.0.1:${server.address().port}/${name}/-/${version}.tgz`
    documents[version] = { ...manifest, ...(hasInstallScript && { hasInstallScript }), dist: { tarball, integrity } }
  }
  const latest = Object.keys(versions).pop()
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ name, 'dist-tags': { latest }, versions: documents }))
})

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
// Ends with whoever started it.
process.stdin.on('end', () => process.exit()).resume()
