<?php

declare(strict_types=1);

// Finds the classes: generated ones, this folder's, and Google's protobuf (Composer's, or Debian's php-google-protobuf).
// With the grpc extension and Composer's grpc/grpc, those are used; else what is in src/Grpc, over curl.

if (is_file(__DIR__ . '/vendor/autoload.php')) {
    require __DIR__ . '/vendor/autoload.php';
}

spl_autoload_register(static function (string $class): void {
    $path = strtr($class, '\\', '/') . '.php';
    $generated = getenv('CRM_GENERATED') ?: __DIR__ . '/generated';
    $places = [$generated, __DIR__ . '/src'];
    if (str_starts_with($class, 'Grpc\\') && extension_loaded('grpc')) {
        return;
    }
    foreach ($places as $place) {
        if (is_file("$place/$path")) {
            require "$place/$path";
            return;
        }
    }
    $shared = stream_resolve_include_path($path);
    if ($shared !== false) {
        require $shared;
    }
});

if (!extension_loaded('grpc')) {
    require __DIR__ . '/src/Grpc/constants.php';
}
