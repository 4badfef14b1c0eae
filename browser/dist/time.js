(async()=>{document.readyState!=="complete"&&await new Promise(e=>addEventListener("load",e,{once:!0})),navigator.sendBeacon("/.viral/time",`${Math.floor(performance.now())}`)})();
