// What would npm install from a directory's manifests and lockfile? Asked of npm's own arborist, without installing.
//
//   node judge.cjs <directory of an npm package>  < cases.json  > verdicts.jsonl
//
// A case: { name, directory, offline, omitDev, tops }. A verdict: { name, error | errors, nodes, superfluous }, where
// `nodes` are the locations that would be installed with what identifies them, and `superfluous` those left out of them
// because only optional peer edges account for them: npm before 11.7 installs what such edges reach, later ones remove
// it but still count what it depends on as wanted in production. The pruned lockfile never has either.
// `tops` are the directories (root as "") whose dependencies count; others are on disk only so that edges resolve.

'use strict'

const fs = require('node:fs')
const path = require('node:path')

const npm = path.resolve(process.argv[2])
const arborist = path.join(npm, 'node_modules/@npmcli/arborist')
const Arborist = require(arborist)
const calcDepFlags = require(path.join(arborist, 'lib/calc-dep-flags.js'))
const resetDepFlags = require(path.join(arborist, 'lib/reset-dep-flags.js'))
const validateLockfile = require(path.join(npm, 'lib/utils/validate-lockfile.js'))


async function judge (entry) {
  const options = { path: entry.directory, save: false, audit: false, fund: false, packageLock: true }
  // npm reads its settings before it makes an arborist; of those, this one decides what a closure is.
  const npmrc = path.join(entry.directory, '.npmrc')
  const settings = fs.existsSync(npmrc) ? fs.readFileSync(npmrc, 'utf8') : ''
  options.legacyPeerDeps = /^\s*legacy-peer-deps\s*=\s*true\s*$/m.test(settings)
  if (entry.offline) {
    // A closed port: whoever asks a registry fails.
    Object.assign(options, { registry: 'http://127.0.0.1:9/', fetchRetries: 0, cache: path.join(entry.directory, '.cache') })
  } else {
    options.cache = path.join(process.env.DRYDOCK_NPM_CACHE, '_cacache')
    options.preferOffline = true
  }
  const virtual = new Arborist(options)
  await virtual.loadVirtual()
  const inventory = new Map(virtual.virtualTree.inventory)
  const real = new Arborist(options)
  const tree = await real.buildIdealTree()
  const validated = typeof validateLockfile === 'function' ? validateLockfile : validateLockfile.validateLockfile
  const errors = validated(inventory, tree.inventory)
  const omit = new Set(entry.omitDev ? ['dev'] : [])
  const tops = new Set(entry.tops)
  const installed = () => [...tree.inventory.values()].filter(node =>
    tops.has(node.top.location) && !node.extraneous && !node.shouldOmit(omit))
  const before = installed()
  if (!entry.offline) {
    removeSuperfluous(tree)
  }
  const nodes = {}
  for (const node of installed()) {
    nodes[node.location] = identity(node)
  }
  const superfluous = before.map(node => node.location).filter(location => !nodes[location])
  return { name: entry.name, errors, nodes, superfluous }
}

function identity (node) {
  const pkg = node.package
  const edges = {}
  for (const edge of node.edgesOut.values()) {
    edges[edge.name] = edge.to ? edge.to.location : null
  }
  const directory = node.isLink || node.isTop
  return {
    version: directory ? null : node.version,
    name: directory ? null : node.packageName,
    resolved: node.isLink ? node.target.location : directory ? null : node.resolved || null,
    integrity: node.integrity || null,
    bin: directory ? null : pkg.bin || null,
    script: directory ? null : !!node.hasInstallScript,
    inert: !!node.inert,
    edges: directory && !node.isTop ? {} : edges,
  }
}

// Removes what only optional peer edges reach, then lets npm compute its flags again.
function removeSuperfluous (tree) {
  const reached = new Set()
  const queue = [tree]
  while (queue.length) {
    const node = queue.pop()
    if (reached.has(node)) {
      continue
    }
    reached.add(node)
    if (node.resolveParent) {
      queue.push(node.resolveParent)
    }
    if (node.isLink) {
      queue.push(node.target)
      continue
    }
    for (const edge of node.edgesOut.values()) {
      if (edge.to && !(edge.peer && edge.optional)) {
        queue.push(edge.to)
      }
    }
  }
  for (const node of [...tree.inventory.values()]) {
    if (!reached.has(node) && !node.inBundle && !node.inShrinkwrap && !node.isTop) {
      node.parent = null
    }
  }
  resetDepFlags(tree)
  calcDepFlags(tree)
}

async function main () {
  let text = ''
  for await (const chunk of process.stdin) {
    text += chunk
  }
  for (const entry of JSON.parse(text)) {
    const verdict = await judge(entry).catch(error => ({ name: entry.name, error: `${error.code || ''} ${error.message}` }))
    process.stdout.write(JSON.stringify(verdict) + '\n')
  }
}

main()
