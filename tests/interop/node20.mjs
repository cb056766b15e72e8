// What js-libp2p 3 needs of a later Node: https://tc39.es/ecma262/ has both.
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new this((...both) => { [resolve, reject] = both })
  return { promise, resolve, reject }
}
Promise.try ??= function (work, ...values) {
  return new this((resolve) => resolve(work(...values)))
}
