document.title = "codeout, made small for the fuzz targets";
