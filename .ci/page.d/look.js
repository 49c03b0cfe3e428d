// Checks the page that loads this script, and sends the result to the window around it.
"use strict";

addEventListener("load", () => {
    const faults = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) {
        faults.push(`the content is ${root.scrollWidth} pixels wide`);
    }
    for (const entry of performance.getEntriesByType("resource")) {
        if (!entry.name.endsWith("/look.js")) {
            faults.push(`the page fetches ${entry.name}`);
        }
    }
    const wanted = location.search.slice(1);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    if (dark !== (wanted === "dark")) {
        faults.push(`the scheme is not ${wanted}`);
    }
    const light = colour => {
        const [red, green, blue] = colour.match(/[\d.]+/g).map(Number);
        return (red * 0.3 + green * 0.59 + blue * 0.11) / 255;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    if (dark !== paper < 0.5) {
        faults.push("the background has the other scheme");
    }
    for (const element of document.querySelectorAll("body, p, td, th, h1, h2")) {
        if (Math.abs(light(getComputedStyle(element).color) - paper) < 0.4) {
            faults.push(`${element.tagName} can hardly be read`);
            break;
        }
    }
    for (const text of document.querySelectorAll("svg text")) {
        if (Math.abs(light(getComputedStyle(text).fill) - paper) < 0.4) {
            faults.push("a plot's text can hardly be read");
            break;
        }
    }
    const plots = document.querySelectorAll("figure").length;
    const tables = document.querySelectorAll("table").length;
    if (plots === 0 || tables === 0) {
        faults.push("there is no plot or no table");
    }
    // A paragraph below every plot says what it shows.
    for (const plot of document.querySelectorAll("figure")) {
        if (plot.nextElementSibling?.tagName !== "P") {
            faults.push("a plot has no paragraph below it");
        }
    }
    const seen = `${plots} plots, ${tables} tables`;
    parent.postMessage(faults.length ? faults.join("; ") : `fine: ${seen}`, "*");
});
